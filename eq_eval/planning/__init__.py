"""Planning problems and how planners fare on them."""
