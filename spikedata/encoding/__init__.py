"""What stands behind `spikedata.encode` and `spikedata.merge`: the plan, blocks of clips, the work, the files."""
