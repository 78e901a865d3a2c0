"""From recordings to spike files. Besides `cli`, this is the only package that uses the cochlea.

Start with `encode.encode`. `plan` decides which files will be made, `blocks` divides the clips into blocks, `work`
encodes a block, `folder` keeps the finished blocks on disk, so that an interrupted encoding can be resumed, and
`assemble` joins them into the final files. `cluster` hands blocks to other machines, `merge` joins shards that were
encoded separately, `join` also whole files, and `verify` checks a finished file. `ear` reads the parameters of the
cochlea from presets, TOML files and the command line.
"""
