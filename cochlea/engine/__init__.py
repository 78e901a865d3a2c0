"""The chain of stages, fused and blocked for speed; the stages judge it in the tests."""
