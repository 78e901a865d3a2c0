#!/bin/sh
exec spikedata download fsdd "$@"
