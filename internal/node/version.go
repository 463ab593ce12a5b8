package node

import "github.com/redwingdb/redwing/internal/commands/admin"

// Version is Redwing's; the build sets it.
var Version = "dev"

// RedisVersion is the version of Redis whose behaviour is followed.
const RedisVersion = admin.RedisVersion
