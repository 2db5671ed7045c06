// The function for Go's runtime client; README.md says what all of them do. Asking for SIGTERM makes the client
// register an internal extension.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/aws/aws-lambda-go/lambda"
)

var invocations int

func main() {
	lambda.StartWithOptions(answer, lambda.WithEnableSIGTERM(func() {
		log("sigterm")
		os.Exit(0)
	}))
}

func answer(payload json.RawMessage) (any, error) {
	invocations++
	log(fmt.Sprint("invoke ", invocations))
	var event struct{ Big, Stream bool }
	if err := json.Unmarshal(payload, &event); err != nil {
		return nil, err
	}
	switch {
	case event.Stream:
		reader, writer := io.Pipe()
		go func() {
			for part := 1; part <= 3; part++ {
				fmt.Fprintf(writer, "part %d\n", part)
			}
			writer.Close()
		}()
		return reader, nil
	case event.Big:
		return strings.Repeat("x", 6*1024*1024-2), nil
	default:
		return payload, nil
	}
}

func log(line string) {
	file, err := os.OpenFile(os.Getenv("CLIENT_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		panic(err)
	}
	defer file.Close()
	fmt.Fprintln(file, line)
}
