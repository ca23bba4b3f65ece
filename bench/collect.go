package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/symbolon/symbolon"
)

// atATime is how many requests for tokens are in flight.
const atATime = 8

// collect gets the token of each ask.
func collect(p *process, asks []ask) ([]string, error) {
	tokens, failed := make([]string, len(asks)), make([]error, atATime)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: atATime}}
	defer client.CloseIdleConnections()
	var next atomic.Int64
	var wg sync.WaitGroup
	for w := range atATime {
		wg.Go(func() {
			for failed[w] == nil {
				k := int(next.Add(1)) - 1
				if k >= len(asks) {
					return
				}
				tokens[k], failed[w] = tokenOf(client, p, asks[k])
			}
		})
	}
	wg.Wait()
	return tokens, errors.Join(failed...)
}

// tokenOf asks for one token.
func tokenOf(client *http.Client, p *process, a ask) (string, error) {
	body, err := post(client, tokenURL(p), a)
	if err != nil {
		return "", err
	}
	var answer symbolon.TokenAnswer
	err = json.Unmarshal(body, &answer)
	return answer.AccessToken, errors.Join(err, emptyToken(&answer))
}

// post sends the form of an ask, and gives the answer, which has to be 200.
func post(client *http.Client, to string, a ask) ([]byte, error) {
	request, err := http.NewRequest(http.MethodPost, to, strings.NewReader(a.Form))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	if a.Auth != "" {
		request.Header.Set("Authorization", a.Auth)
	}
	return fetchBy(client, request)
}

// tokensOf gets n tokens of the one client.
func (b *bench) tokensOf(p *process, n int) ([]string, error) {
	asks := make([]ask, n)
	for i := range asks {
		asks[i] = b.tokenAsk()
	}
	return collect(p, asks)
}
