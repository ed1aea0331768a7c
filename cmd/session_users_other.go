//go:build !unix

package cmd

import "os"

const usersFile = "users"

type user struct{}

func joinSession(string) {}

func users(string) []user { return nil }

func awaitUsers(*terminal, string, <-chan os.Signal, os.Signal) error { return nil }
