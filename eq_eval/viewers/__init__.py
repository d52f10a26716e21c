"""Live views of the graph: messages become things to show, and viewers show them."""
