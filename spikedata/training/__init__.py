"""Back-propagation through time: batches, losses, optimizers, checkpoints that resume to the bit."""
