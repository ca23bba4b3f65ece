// Package interop holds tests that need other people's code: the Wycheproof vectors, and
// three other JOSE libraries that are asked about thousands of broken tokens. It is a module
// of its own, so that none of them is a dependency of the product.
package interop
