"""Spiking neurons, layers and networks, fused on the CPU; knows no training."""
