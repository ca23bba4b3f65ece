package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/symbolon/symbolon"
	"github.com/symbolon/symbolon/client"
)

// maxData is the largest body that call sends: it is held in memory, so that it
// can be sent again after a refused token.
const maxData = 64 << 20

// caller is one run of call.
type caller struct {
	*asker
	method, data string
	headers      []string
	include      bool
}

func newCallCmd(a *app) *cobra.Command {
	c := &caller{}
	cmd := &cobra.Command{
		Use:   "call URL",
		Short: "Call an API with an access token",
		Long: `call is curl with a token: it gets one as a client, sends the request with it, and
prints the answer. The token goes to the URL's origin alone; redirects are not
followed. An answer of 400 or more is printed too, and ends with exit code 1.

With --dpop or --dpop-key each request carries a proof of its own (RFC 9449); with
--cert the certificate is presented to the API too (RFC 8705).

` + credentialHelp,
		Example: `  symbolon call --issuer https://auth.example.com --client billing --secret-file billing.secret https://orders.example.com/orders
  symbolon call --client billing --scope orders:write -X PUT -H 'Content-Type: application/json' -d @order.json https://orders.example.com/orders/7
  echo '{"n":1}' | symbolon call --client billing -d @- -i https://orders.example.com/orders
  symbolon call --client billing --key billing.key --dpop https://orders.example.com/orders
  symbolon call --client billing --cert billing.crt --cert-key billing.key https://orders.example.com/orders`,
		Args: exactArgs("URL"),
	}
	c.asker = a.asks(cmd)
	f := cmd.Flags()
	f.StringVarP(&c.method, "request", "X", "", "method (default GET, with --data POST)")
	f.StringVarP(&c.data, "data", "d", "", "body: text, @FILE, or @- for standard input")
	f.StringArrayVarP(&c.headers, "header", "H", nil, "header, as 'Name: value'; repeat for more")
	f.BoolVarP(&c.include, "include", "i", false, "print the status and the headers of the answer before it")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		req, err := c.request(cmd, args[0])
		if err != nil {
			return err
		}
		library, err := c.client(req.URL.Scheme + "://" + req.URL.Host)
		if err != nil {
			return err
		}
		defer library.Close()
		if _, err := c.get(cmd.Context(), library); err != nil {
			return err
		}
		return c.send(library, req)
	}
	return cmd
}

func (c *caller) request(cmd *cobra.Command, target string) (*http.Request, error) {
	u, err := url.Parse(target)
	if err != nil || u.Host == "" {
		return nil, usagef("%q is not a URL as https://orders.example.com/orders", target)
	}
	var body io.Reader
	method := c.method
	if cmd.Flags().Changed("data") {
		data, err := c.body()
		if err != nil {
			return nil, err
		}
		body = bytes.NewReader(data)
		if method == "" {
			method = http.MethodPost
		}
	}
	req, err := http.NewRequestWithContext(cmd.Context(), method, target, body)
	if err != nil {
		return nil, usagef("the request cannot be made: %w", err)
	}
	for _, h := range c.headers {
		name, value, ok := strings.Cut(h, ":")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !ok || name == "":
			return nil, usagef("--header %q is not of the form 'Name: value'", h)
		case strings.EqualFold(name, "Authorization"):
			return nil, usagef("--header: Authorization is what call itself sends; leave it out, or use curl")
		case strings.EqualFold(name, symbolon.HeaderDPoP):
			return nil, usagef("--header: DPoP is what call itself sends with --dpop or --dpop-key; leave it out, or use curl")
		case strings.EqualFold(name, "Host"):
			req.Host = value
		default:
			req.Header.Add(name, value)
		}
	}
	if body != nil && req.Header.Get("Content-Type") == "" {
		req.Header.Set("Content-Type", contentType(req))
	}
	return req, nil
}

// contentType is JSON where the body is, else what a form is sent as.
func contentType(req *http.Request) string {
	if body, err := req.GetBody(); err == nil {
		if data, err := io.ReadAll(body); err == nil && json.Valid(data) {
			return "application/json"
		}
	}
	return "application/x-www-form-urlencoded"
}

func (c *caller) body() ([]byte, error) {
	name, file := strings.CutPrefix(c.data, "@")
	switch {
	case !file:
		return []byte(c.data), nil
	case name == "-":
		data, err := io.ReadAll(io.LimitReader(c.stdin, maxData+1))
		if err == nil && len(data) > maxData {
			err = fmt.Errorf("standard input is larger than %d octets; use curl with symbolon token -o header", maxData)
		}
		return data, err
	}
	data, err := readLimited(name, maxData)
	if err != nil {
		return nil, fmt.Errorf("--data: %w", err)
	}
	return data, nil
}

func (c *caller) send(library *client.Client, req *http.Request) error {
	hc := library.HTTP()
	hc.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	stop := (&place{app: c.app}).waiting("waiting for the API")
	resp, err := hc.Do(req)
	stop()
	if err != nil {
		return c.advise(err)
	}
	defer resp.Body.Close()
	if c.include {
		fmt.Fprintf(c.stdout, "%s %s\n", resp.Proto, printable(resp.Status))
		printHeaders(c.stdout, resp.Header)
	}
	if _, err := io.Copy(c.stdout, resp.Body); err != nil {
		return fmt.Errorf("the answer broke off: %w", err)
	}
	if resp.StatusCode >= http.StatusBadRequest {
		return c.refusedBy(resp)
	}
	return nil
}

// printHeaders writes them in the order of their names.
func printHeaders(w io.Writer, h http.Header) {
	names := make([]string, 0, len(h))
	for name := range h {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range h[name] {
			fmt.Fprintf(w, "%s: %s\n", name, printable(value))
		}
	}
	fmt.Fprintln(w)
}
