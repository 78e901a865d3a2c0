#!/bin/sh
exec spikedata download speech_commands "$@"
