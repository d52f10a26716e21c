"""Pick and place in voxels, SE(3) x SE(3) bi-equivariant."""
