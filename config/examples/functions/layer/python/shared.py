"""What functions/pick_origin.py may import: a layer."""
