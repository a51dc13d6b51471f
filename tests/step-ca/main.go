// step-ca as its makers build it, from Debian's sources: the command and the kinds of key that a CA of files needs.
package main

import (
	"fmt"
	"os"

	_ "github.com/smallstep/certificates/cas/softcas"
	"github.com/smallstep/certificates/commands"
	_ "github.com/smallstep/certificates/kms/softkms"
	"github.com/urfave/cli"
)

func main() {
	app := cli.NewApp()
	app.Name = "step-ca"
	app.Commands = []cli.Command{commands.AppCommand}
	if err := app.Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
