package consensus

import (
	"io"
	"log"
	"time"

	"github.com/hashicorp/go-hclog"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// raftLog hands raft's messages to zap, one level lower: what raft calls an error (a
// peer that does not answer) is daily life here.
type raftLog struct {
	hclog.Logger // a null logger for everything not below
	log          *zap.Logger
	args         []any
}

// newRaftLog passes one message of a text every ten seconds on, since raft tells of each
// try to reach a dead peer; with debug messages wanted, all of them.
func newRaftLog(l *zap.Logger) hclog.Logger {
	if !l.Core().Enabled(zapcore.DebugLevel) {
		l = l.WithOptions(zap.WrapCore(func(core zapcore.Core) zapcore.Core {
			return zapcore.NewSamplerWithOptions(core, 10*time.Second, 1, 0)
		}))
	}
	return &raftLog{Logger: hclog.NewNullLogger(), log: l}
}

func (r *raftLog) Log(level hclog.Level, msg string, args ...any) {
	to := zapcore.DebugLevel
	switch level {
	case hclog.Warn:
		to = zapcore.InfoLevel
	case hclog.Error:
		to = zapcore.WarnLevel
	}
	if ce := r.log.Check(to, msg); ce != nil {
		all := append(append([]any(nil), r.args...), args...)
		fields := make([]zap.Field, 0, len(all)/2)
		for i := 0; i+1 < len(all); i += 2 {
			key, _ := all[i].(string)
			fields = append(fields, zap.Any(key, all[i+1]))
		}
		ce.Write(fields...)
	}
}

func (r *raftLog) Trace(msg string, args ...any) {}
func (r *raftLog) Debug(msg string, args ...any) { r.Log(hclog.Debug, msg, args...) }
func (r *raftLog) Info(msg string, args ...any)  { r.Log(hclog.Info, msg, args...) }
func (r *raftLog) Warn(msg string, args ...any)  { r.Log(hclog.Warn, msg, args...) }
func (r *raftLog) Error(msg string, args ...any) { r.Log(hclog.Error, msg, args...) }

func (r *raftLog) With(args ...any) hclog.Logger {
	return &raftLog{Logger: r.Logger, log: r.log, args: append(append([]any(nil), r.args...), args...)}
}

func (r *raftLog) Named(name string) hclog.Logger {
	return &raftLog{Logger: r.Logger, log: r.log.Named(name), args: r.args}
}

func (r *raftLog) ResetNamed(name string) hclog.Logger { return r.Named(name) }

func (r *raftLog) StandardLogger(*hclog.StandardLoggerOptions) *log.Logger {
	return log.New(io.Discard, "", 0)
}
