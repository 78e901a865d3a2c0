"""Train on some speakers, choose on others, score once on speakers that neither has heard; cards and tables."""
