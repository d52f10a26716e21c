"""Pick and place: poses that turn with the object and with the place, learned from few shows."""
