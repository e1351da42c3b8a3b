"""One Lua 5.1 virtual machine in a sandbox, and how a script runs in it.

`VirtualMachine` is what EVAL and FUNCTION each have one of. Its ``lua`` is lupa's runtime
(``encoding=None``: Lua strings are bytes), in which nothing but the sandbox's globals is
reachable by scripts. The modules of `hypercache_scripting.libraries` put their tables into
``lua.globals()`` while the machine is built; after that the globals are read-only.

    vm = VirtualMachine(memory=256 << 20)
    function = vm.compile(b"return redis.call('GET', KEYS[1])", b"@user_script")
    reply = vm.run(function, run, keys, arguments)

``compile`` raises `CompileError` with Lua's message. ``run`` calls the function within a
`hypercache.plugin.ScriptRun` (who calls, flags, what it may do) and returns a plain reply;
errors of the script come as `ErrorReply`, in Redis' words.
"""
