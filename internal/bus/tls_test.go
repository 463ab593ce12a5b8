package bus

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"math/big"
	"net"
	"testing"
	"time"
)

// mutual makes a tls.Config whose certificate is its own authority, trusting also others.
func mutual(t *testing.T, trust ...*tls.Config) *tls.Config {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	tmpl := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "node"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, tmpl, tmpl, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AddCert(leaf)
	for _, o := range trust {
		pool.AddCert(o.Certificates[0].Leaf)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key, Leaf: leaf}},
		RootCAs:      pool, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert,
	}
}

func TestMutualTLS(t *testing.T) {
	ours := mutual(t)
	open := func(res *table, node string, cfg *tls.Config) *Bus {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		b, err := New(Options{Listener: ln, TLS: cfg, HandshakeTimeout: 2 * time.Second})
		if err != nil {
			t.Fatal(err)
		}
		b.SetIdentity(Identity{Node: node, Run: "r", Cluster: cluster, Generation: 1})
		b.SetResolver(res)
		res.set(node, ln.Addr().String())
		done := make(chan struct{})
		go func() {
			defer close(done)
			b.Run(context.Background())
		}()
		t.Cleanup(func() {
			b.Close()
			<-done
		})
		return b
	}
	res := &table{}
	a, b := open(res, "a", ours), open(res, "b", ours)
	b.HandleRPC(40, func(from Peer, req []byte) ([]byte, error) { return []byte(from.Node), nil })
	got, err := a.Call(within(t, 5*time.Second), "b", 40, nil)
	if err != nil || string(got) != "a" {
		t.Fatalf("%q %v", got, err)
	}
	// A certificate of somebody else, and none at all.
	stranger := open(res, "x", mutual(t, ours))
	if _, err := stranger.Call(within(t, 5*time.Second), "b", 40, nil); err == nil {
		t.Fatal("a stranger's certificate was taken")
	}
	plain := start(t, res, member("y"), "")
	if _, err := plain.Call(within(t, 5*time.Second), "b", 40, nil); err == nil {
		t.Fatal("let in without TLS")
	}
	eventually(t, "both counted", func() bool { return b.DroppedBy(DropAuth) >= 2 })
}
