#!/bin/sh
exec spikedata download audiomnist "$@"
