import Host

/// How a process ended; the Testing module has a type of the same name.
typealias ProcessEnd = ExitStatus
