#!/bin/sh
exec spikedata download heidelberg_digits "$@"
