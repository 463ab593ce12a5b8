// Package pubsub knows who has subscribed to which channels and patterns, and carries
// messages to them: within the node (Hub) and to the other nodes of a cluster (Relay).
// It knows no sessions and no commands: a Subscriber takes messages into a mailbox of its
// own and encodes them when it comes to send them. internal/server subscribes, the
// commands of internal/commands/message publish, and internal/node connects the Relay to
// the bus.
//
// Messages of one publisher to one channel, pattern or not, reach every subscriber in
// the order in which they were published, and all subscribers of a channel see the same
// order. Nothing is kept for those who come later.
package pubsub
