"""What a physiologist measures, measured on the model."""
