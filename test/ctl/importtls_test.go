package ctl

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/redwingdb/redwing/internal/redistest"
	"github.com/redwingdb/redwing/test/realnode"
)

// writePEM writes one block.
func writePEM(t *testing.T, path, kind string, der []byte) string {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// certificate makes a certificate for 127.0.0.1 that is its own authority, and its key.
func certificate(t *testing.T, dir, name string) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return writePEM(t, filepath.Join(dir, name+".pem"), "CERTIFICATE", der), writePEM(t, filepath.Join(dir, name+".key"), "EC PRIVATE KEY", keyDER)
}

// A server is imported over TLS, which wants a certificate of its clients; what is missing
// on the command line is named.
func importTLS(t *testing.T, d *dev, primaries []string) {
	dir := t.TempDir()
	cert, key := certificate(t, dir, "server")
	mine, mineKey := certificate(t, dir, "client")
	port := realnode.FreePorts(t, 1)
	s := redistest.Start(t, "--tls-port", strconv.Itoa(port), "--tls-cert-file", cert, "--tls-key-file", key, "--tls-ca-cert-file", mine)
	for i := range 500 {
		s.Do("SET", fmt.Sprint("k:", i), strconv.Itoa(i))
	}
	from := fmt.Sprintf("127.0.0.1:%d", port)
	dry := func(args ...string) result {
		return d.ctl(append([]string{"import", "--from", from, "--flush", "--dry-run"}, args...)...)
	}
	dry().want(t, 1, "--from-tls")
	dry("--from-tls").want(t, 1, "--from-cacert")
	dry("--from-tls", "--from-cacert", cert, "--from-sni", "elsewhere").want(t, 1, "elsewhere", "--from-sni")
	dry("--from-tls", "--from-cacert", key).want(t, 2, "no certificate")
	dry("--from-tls", "--from-cacert", filepath.Join(dir, "none")).want(t, 2, "no such file")
	dry("--from-cacert", cert).want(t, 2, "--from-tls")
	dry("--from-tls", "--from-cert", mine).want(t, 2, "belong together")
	dry("--from-tls", "--from-insecure", "--from-cert", mine, "--from-key", mineKey).want(t, 0, "500")
	d.ctl("import", "--from", from, "--flush", "--yes", "--no-pause", "--from-tls", "--from-cacert", cert, "--from-sni", "server",
		"--from-cert", mine, "--from-key", mineKey).want(t, 0)
	wantSame(t, contentOf(t, primaries...), contentOf(t, s.Addr()))
}
