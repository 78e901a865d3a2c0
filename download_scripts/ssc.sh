#!/bin/sh
exec spikedata download ssc "$@"
