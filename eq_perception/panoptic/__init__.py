"""4D panoptic segmentation: a class and a stable object for every point."""
