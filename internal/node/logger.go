package node

import (
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// newLogger returns a logger that writes lines for people to path (standard output
// if empty) and the level that CONFIG SET loglevel changes.
func newLogger(path, level string) (*zap.Logger, zap.AtomicLevel, error) {
	if path == "" {
		path = "stdout"
	}
	at := zap.NewAtomicLevelAt(zapLevel(level))
	enc := zap.NewProductionEncoderConfig()
	enc.EncodeTime = zapcore.ISO8601TimeEncoder
	enc.EncodeLevel = zapcore.CapitalLevelEncoder
	log, err := zap.Config{
		Level: at, Encoding: "console", EncoderConfig: enc,
		OutputPaths: []string{path}, ErrorOutputPaths: []string{"stderr"},
		DisableCaller: true, DisableStacktrace: true,
	}.Build()
	if err != nil {
		return nil, at, fmt.Errorf("logfile %s: %w", path, err)
	}
	return log, at, nil
}

// zapLevel maps redis.conf's loglevel: verbose is between debug and notice.
func zapLevel(level string) zapcore.Level {
	switch level {
	case "debug", "verbose":
		return zapcore.DebugLevel
	case "warning":
		return zapcore.WarnLevel
	case "nothing":
		return zapcore.FatalLevel + 1
	}
	return zapcore.InfoLevel
}
