package main

import (
	"net"
	"net/http"
	_ "net/http/pprof"
	"os"
	"runtime/debug"

	"github.com/redwingdb/redwing/internal/command"
	"github.com/redwingdb/redwing/internal/commands/str"
	"github.com/redwingdb/redwing/internal/effects"
	"github.com/redwingdb/redwing/internal/engine"
	"github.com/redwingdb/redwing/internal/server"
)

func main() {
	debug.SetGCPercent(400)
	t, err := command.NewTable(server.Specs(), str.Specs())
	if err != nil {
		panic(err)
	}
	ks, err := engine.New(engine.Options{Databases: 16, Seed: 7})
	if err != nil {
		panic(err)
	}
	s, err := server.New(server.Options{Table: t, Keyspace: ks, Log: effects.NewLog(effects.Options{})})
	if err != nil {
		panic(err)
	}
	ln, err := net.Listen("tcp", os.Args[1])
	if err != nil {
		panic(err)
	}
	go http.ListenAndServe("127.0.0.1:17999", nil)
	s.Serve(ln)
}
