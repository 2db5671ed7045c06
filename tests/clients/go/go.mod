module client

go 1.18

// Extension and runtime share their connections here; 1.55.1 parts them. 1.55.0 still does not, but needs a Go newer
// than Debian's.
require github.com/aws/aws-lambda-go v1.54.0
