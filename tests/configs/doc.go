// Package configs holds tests that read configurations of the documentation with
// the types and the rules of the programs that they are for, where those publish
// such. It is a module of its own, so that none of them is a dependency of the
// product.
package configs
