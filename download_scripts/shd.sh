#!/bin/sh
exec spikedata download shd "$@"
