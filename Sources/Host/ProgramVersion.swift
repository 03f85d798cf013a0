/// The version of the program, which `--version` prints and every output names.
package let programVersion = "0.1.0"
