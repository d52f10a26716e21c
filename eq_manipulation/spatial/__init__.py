"""Pick and place on voxels, SE(3) x SE(3) bi-equivariant."""
