"""Planning on geometric graphs with learned, E(2)-invariant traversal costs; no ROS."""
