"""Access control lists: who may log in, and which commands, keys and channels each may use.

`selectors` holds permissions and checks calls against them, `users` a user with its passwords,
`rules` the language of ACL SETUSER, `access` the table of users of a server, `log` what was
refused, and `file` users on disk.
"""
