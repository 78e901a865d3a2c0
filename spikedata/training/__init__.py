"""Training by back-propagation through time, with checkpoints that resume to the same bits.

`loop.train` is the way in: it goes through epochs (`step`, on the batches of `batches`), scores the validation part
(`scoring`), and keeps the best weights. `params` holds what can be set, `losses` and `schedules` the equations,
`history`, `checkpoint` and `folder` what is written on the way, `devices` and `parallel` where it runs. `counts` fits
the linear classifier, which needs no epochs.

Nothing here knows recipes or splits: those are in `spikedata.baseline`.
"""
