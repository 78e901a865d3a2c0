"""What stands behind `spikedata.encoding.encode` and `spikedata.encoding.merge`: the plan, blocks of clips, the work, the files."""
