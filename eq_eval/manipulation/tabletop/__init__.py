"""A simulated table with tasks of our own, for where no other simulator is."""
