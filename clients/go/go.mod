module github.com/bellwire/bellwire/clients/go

go 1.21
