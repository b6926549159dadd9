// go-git as a program: clone ADDRESS DIRECTORY | push ADDRESS DIRECTORY SOURCE TARGET, with CLIENT_USER and CLIENT_PASSWORD.
//
// What the server says goes to standard error; the exit status is 1 where it refused a ref.
package main

import (
	"fmt"
	"os"

	"github.com/go-git/go-git/v5"
	"github.com/go-git/go-git/v5/config"
	"github.com/go-git/go-git/v5/plumbing/transport/http"
)

func run(arguments []string) error {
	command, address, directory := arguments[0], arguments[1], arguments[2]
	who := &http.BasicAuth{Username: os.Getenv("CLIENT_USER"), Password: os.Getenv("CLIENT_PASSWORD")}
	if command == "clone" {
		_, err := git.PlainClone(directory, false, &git.CloneOptions{URL: address, Auth: who, Progress: os.Stderr})
		return err
	}
	repository, err := git.PlainOpen(directory)
	if err != nil {
		return err
	}
	return repository.Push(&git.PushOptions{
		RemoteName: "origin",
		RefSpecs:   []config.RefSpec{config.RefSpec(arguments[3] + ":" + arguments[4])},
		Auth:       who,
		Progress:   os.Stderr,
	})
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
