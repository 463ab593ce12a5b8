package clusterctl

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSOptions say how a server that is not the cluster's own is spoken to.
type TLSOptions struct {
	On         bool
	ServerName string // in its certificate; "": the host that is dialled
	CACert     string // file of the authorities that may sign it, in PEM; "": the system's
	Cert, Key  string // files of the certificate to show there, in PEM; "": none
	Insecure   bool   // the server's certificate is not looked at
}

// config reads the files; nil without TLS.
func (o *TLSOptions) config() (*tls.Config, error) {
	if !o.On {
		return nil, nil
	}
	out := &tls.Config{ServerName: o.ServerName, InsecureSkipVerify: o.Insecure, MinVersion: tls.VersionTLS12}
	if o.CACert != "" {
		pem, err := os.ReadFile(o.CACert)
		if err != nil {
			return nil, err
		}
		out.RootCAs = x509.NewCertPool()
		if !out.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s: no certificate in PEM", o.CACert)
		}
	}
	if o.Cert != "" {
		pair, err := tls.LoadX509KeyPair(o.Cert, o.Key)
		if err != nil {
			return nil, fmt.Errorf("%s and %s: %w", o.Cert, o.Key, err)
		}
		out.Certificates = []tls.Certificate{pair}
	}
	return out, nil
}

// validate names what does not go together.
func (o *TLSOptions) validate() error {
	var errs []error
	if !o.On && *o != (TLSOptions{}) {
		errs = append(errs, errors.New("--from-sni, --from-cacert, --from-cert, --from-key and --from-insecure are for --from-tls"))
	}
	if (o.Cert == "") != (o.Key == "") {
		errs = append(errs, errors.New("--from-cert and --from-key belong together"))
	}
	if o.Insecure && o.CACert != "" {
		errs = append(errs, errors.New("--from-insecure and --from-cacert exclude each other"))
	}
	return errors.Join(errs...)
}
