// Imported first by the programs, for its effect. On SIGUSR1, Node opens the port of its debugger, unless the program
// handles the signal. nginx reopens its logs on it, so old rules of logrotate send it; handleSignals adds that.
if (process.platform !== 'win32') process.on('SIGUSR1', () => {});
