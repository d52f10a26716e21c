"""Pick and place on a heightmap, SE(2) x SE(2) bi-equivariant."""
