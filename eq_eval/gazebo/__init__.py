"""The worlds of Gazebo seen from outside it: their shapes, maps, and what a LiDAR sees in them."""
