import Host

/// How a process ended. Testing has a type of the same name as Host, and Foundation one of the same name as the module.
typealias ProcessEnd = ExitStatus
