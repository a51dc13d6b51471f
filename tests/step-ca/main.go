// step-ca as its makers build it, from Debian's sources: the command, the kinds of key that a CA of files needs, and the way in which
// `step ca init` makes a provisioner's key.
package main

import (
	"encoding/json"
	"fmt"
	"os"

	_ "github.com/smallstep/certificates/cas/softcas"
	"github.com/smallstep/certificates/commands"
	_ "github.com/smallstep/certificates/kms/softkms"
	"github.com/urfave/cli"
	"go.step.sm/crypto/jose"
)

var keyCommand = cli.Command{
	Name:  "key",
	Usage: "prints a new key of a provisioner, encrypted with the password that is given",
	Action: func(ctx *cli.Context) error {
		key, sealed, err := jose.GenerateDefaultKeyPair([]byte(ctx.Args().First()))
		if err != nil {
			return err
		}
		text, err := sealed.CompactSerialize()
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(map[string]interface{}{"key": key, "encryptedKey": text})
	},
}

func main() {
	app := cli.NewApp()
	app.Name = "step-ca"
	app.Commands = []cli.Command{commands.AppCommand, keyCommand}
	if err := app.Run(os.Args); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
