"""Train on some speakers, choose on others, score once on unseen speakers; cards and tables."""
