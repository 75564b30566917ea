# A web server's side of ota-gate's socket, without the web server: what is slow, cut off, too much or nonsense comes from
# here. Devices are car0, car1, ... with certificate 0A.
#
#     gate.pl SOCKET COMMAND [ARGUMENT]...
use strict;
use warnings;
use IO::Socket::UNIX;
use POSIX ();
use Socket;
use Time::HiRes qw(time sleep);

$| = 1;
$SIG{PIPE} = 'IGNORE';
my ($path, $command, @arguments) = @ARGV;

sub netstring { length($_[0]) . ":$_[0]," }

# head(CAR, LENGTH, [NAME => VALUE]...): undef leaves a member out
sub head {
	my ($car, $length, %other) = @_;
	my %member = (
		SCGI => 1, REQUEST_METHOD => "POST", REQUEST_URI => "/events", SSL_CLIENT_VERIFY => "SUCCESS",
		SSL_CLIENT_S_DN => "CN=car$car", SSL_CLIENT_S_DN_CN => "car$car", SSL_CLIENT_M_SERIAL => "0A", %other);
	my $text = defined $length ? "CONTENT_LENGTH\0$length\0" : "";
	return netstring($text . join "", map { defined $member{$_} ? "$_\0$member{$_}\0" : "" } sort keys %member);
}

# event(ID, [BYTES]): a body of one event
sub event {
	my ($id, $bytes) = @_;
	my $text = qq([{"id":"$id","deviceTime":"2026-01-01T00:00:00Z","eventType":{"id":"DevicePaused","version":0},"event":{"x":");
	$bytes //= 0;
	my $rest = $bytes - length($text) - 4;
	return $text . "x" x ($rest > 0 ? $rest : 0) . '"}}]';
}

sub dial {
	for (1 .. 200) {
		socket(my $fd, AF_UNIX, SOCK_STREAM, 0) or die "socket: $!";
		return $fd if connect $fd, pack_sockaddr_un($path);
		close $fd;
		sleep 0.05;
	}
	die "connect: $!\n";
}

# put(FD, TEXT): whether all of it was taken
sub put {
	my ($fd, $text) = @_;
	my $at = 0;
	while ($at < length $text) {
		my $n = syswrite $fd, $text, length($text) - $at, $at;
		next if !defined $n && $!{EINTR};
		return 0 unless $n;
		$at += $n;
	}
	return 1;
}

sub answer_of {
	my ($fd) = @_;
	my $answer = "";
	while (1) {
		my $n = sysread $fd, my $piece, 65536;
		next if !defined $n && $!{EINTR};
		return $answer unless $n;
		$answer .= $piece;
	}
}

sub status_of { my $answer = answer_of($_[0]); return $answer =~ /^Status: (\d+)/ ? $1 : "none" }

sub ask {
	my ($head, $body) = @_;
	my $fd = dial();
	put($fd, $head) && put($fd, $body);
	return answer_of($fd);
}

sub tally { my %n; $n{$_}++ for @_; return join(" ", map { "$_:$n{$_}" } sort keys %n) . "\n" }

# What systemd does: keeps the socket, and starts programs on it.
sub listen_here {
	unlink $path;
	$^F = 64; # what is opened now stays open in the program
	my $socket = IO::Socket::UNIX->new(Local => $path, Listen => 512) or die "listen: $!";
	chmod 0666, $path;
	return $socket;
}

sub begin_on {
	my ($socket, @program) = @_;
	my $pid = fork;
	return $pid if $pid;
	POSIX::dup2(fileno($socket), 3);
	$ENV{LISTEN_PID} = $$;
	$ENV{LISTEN_FDS} = 1;
	exec @program or die "$program[0]: $!";
}

my %commands = (
	# One request, and its whole answer.
	ask => sub { my ($car, $id) = @_; print ask(head($car, length event($id)), event($id)) },

	# A request as long as it says, and something else behind it.
	pipelined => sub {
		my ($car, $first, $second) = @_;
		print ask(head($car, length event($first)), event($first) . head($car, length event($second)) . event($second));
	},

	# No length, which is how a chunked body would come that the web server does not collect.
	chunked => sub { my ($car, $id) = @_; print ask(head($car, undef), event($id)) },

	# One more byte than allowed, and far more.
	oversized => sub {
		my ($car, $bytes) = @_;
		print ask(head($car, $bytes), "x" x $bytes);
	},

	# All prefixes of a body; each end is a connection that is closed for writing.
	truncated => sub {
		my ($car, $id) = @_;
		my $body = event($id);
		my @statuses;
		for (my $cut = 0; $cut < length $body; $cut += 8) {
			my $fd = dial();
			put($fd, head($car, length $body));
			put($fd, substr $body, 0, $cut);
			shutdown $fd, 1;
			push @statuses, status_of($fd);
		}
		print tally(@statuses);
	},

	# N connections that stop somewhere; then a request of somebody else, and how long that took.
	stuck => sub {
		my ($n, $id) = @_;
		my $request = head(0, 100) . "x" x 99;
		my @stuck = map { my $fd = dial(); put($fd, substr $request, 0, int(length($request) * ($_ % 8) / 7)); $fd } 0 .. $n - 1;
		my $before = time;
		my ($status) = ask(head(1, length event($id)), event($id)) =~ /^Status: (\d+)/;
		my $seconds = time - $before;
		printf "%s %s\n", $status // "none", $seconds < 3 ? "at once" : "after $seconds s";
	},

	# Slow ones to the end: what they are told, and when.
	slow => sub {
		my ($n) = @_;
		my $request = head(0, 100) . "x" x 99;
		my $before = time;
		my @stuck = map { my $fd = dial(); put($fd, substr $request, 0, int(length($request) * $_ / $n)); $fd } 1 .. $n;
		print tally(map { status_of($_) } @stuck);
		my $seconds = time - $before;
		print $seconds > 4 && $seconds < 20 ? "in time\n" : "after $seconds s\n";
	},

	# N connections, all of which have sent half of what they have to say before the first sends the rest.
	crowd => sub {
		my ($n, $cars, $bytes) = @_;
		my @open = map { my $fd = dial(); [$fd, head($_ % $cars, length event("crowd$_", $bytes)) . event("crowd$_", $bytes)] } 0 .. $n - 1;
		put($_->[0], substr $_->[1], 0, length($_->[1]) / 2) for @open;
		print "all open\n";
		put($_->[0], substr $_->[1], length($_->[1]) / 2) for @open;
		print tally(map { status_of($_->[0]) } @open);
	},

	# N large ones at once, of which few fit into memory.
	large => sub {
		my ($n, $bytes) = @_;
		pipe my $from, my $to;
		for my $car (0 .. $n - 1) {
			next if fork;
			my $body = '{"id":"x","class":"system","x":"' . "x" x ($bytes - 34) . '"}';
			my ($status) = ask(head($car, length $body, REQUEST_URI => "/system_info"), $body) =~ /^Status: (\d+)/;
			syswrite $to, ($status // "none") . "\n";
			exit 0;
		}
		close $to;
		chomp(my @statuses = <$from>);
		print tally(@statuses);
	},

	# What no web server sends: each is refused in words, and nobody dies of it.
	hostile => sub {
		my $good = head(0, 2);
		my ($inside) = $good =~ /^\d+:(.*),$/s;
		my @heads = (
			"", "x", ":", "0:,", "1:x,", "2:ab,", "3:abc,", "-1:", "05:abcde,", "99999999999999999999:", "32769:", "4294967297:x,",
			"18446744073709551617:x,", "5 :abcde,", "GET / HTTP/1.1\r\n\r\n", "\0" x 64, "\377" x 64, "12345678", "\x16\x03\x01\x02\x00\x01",
			netstring("CONTENT_LENGTH\0002\0"), netstring("SCGI\0001\0CONTENT_LENGTH\0002\0"), netstring("CONTENT_LENGTH\000-2\0SCGI\0001\0"),
			netstring("CONTENT_LENGTH\0002x\0SCGI\0001\0"), netstring("CONTENT_LENGTH\0002\0SCGI\0002\0"),
			netstring("CONTENT_LENGTH\0001000000000000000000\0SCGI\0001\0"), netstring("CONTENT_LENGTH\0\0SCGI\0001\0"),
			netstring($inside . "SSL_CLIENT_S_DN_CN\0car1\0"), netstring($inside . "SCGI\0001\0"), netstring($inside . "x"),
			netstring($inside . "\0"), netstring("\0" x 100), netstring("a" x 32768), netstring("CONTENT_LENGTH\0002\0" x 1000),
			(map { substr $good, 0, $_ } 1 .. length($good) - 1), substr($good, 0, -1) . ";");
		my @statuses = map { my $fd = dial(); put($fd, $_ . "[]"); shutdown $fd, 1; status_of($fd) } @heads;
		print tally(@statuses);
		srand 7;
		for (1 .. 300) {
			my $bad = $good;
			substr($bad, rand length $bad, 1) = chr rand 256 for 1 .. 3;
			my $fd = dial();
			put($fd, $bad . "[]");
			shutdown $fd, 1;
			die "no answer to " . unpack("H*", $bad) . "\n" if status_of($fd) eq "none";
		}
		print "all answered\n";
	},

	# Tries once whether somebody listens.
	connect => sub { IO::Socket::UNIX->new(Peer => $path) or die "$!\n" },

	# Begins a request, waits for a line from outside, sends the rest.
	halves => sub {
		my ($car, $id) = @_;
		my ($fd, $body) = (dial(), event($id));
		put($fd, head($car, length $body) . substr $body, 0, 10);
		print "half\n";
		<STDIN>;
		put($fd, substr $body, 10);
		print answer_of($fd);
	},

	# Starts the program on the socket, again and again, until this is ended, which ends the program.
	keep => sub {
		my $socket = listen_here();
		my $is_over = 0;
		my $pid = 0;
		local $SIG{TERM} = sub { $is_over = 1; kill TERM => $pid if $pid };
		while (!$is_over) {
			$pid = begin_on($socket, @_);
			while (waitpid($pid, 0) != $pid) { }
			sleep 0.5 unless $is_over;
		}
	},

	# Starts the program on the socket, again when it was ended by a signal. Meanwhile
	# requests come from four sides; ids of those that were answered by 200 go to the file ACKS.
	restarts => sub {
		my ($acks, $signals, @program) = @_;
		my $socket = listen_here();
		my $pid = begin_on($socket, @program);
		my @clients = map { my $side = $_; fork || do { close $socket; client($side, $acks); exit 0 } } 0 .. 3;
		for my $signal (split /,/, $signals) {
			sleep 0.4;
			kill $signal, $pid;
			waitpid $pid, 0;
			sleep 0.1;
			$pid = begin_on($socket, @program);
		}
		sleep 0.4;
		kill USR1 => @clients;
		waitpid $_, 0 for @clients;
		kill TERM => $pid;
		waitpid $pid, 0;
		print $? ? "ended badly\n" : "ended well\n";
	});

sub client {
	my ($side, $acks) = @_;
	my ($is_over, $n) = (0, 0);
	local $SIG{USR1} = sub { $is_over = 1 };
	open my $out, ">>", $acks or die "$acks: $!";
	while (!$is_over) {
		my $id = "side$side-" . $n++;
		my ($status) = ask(head($side, length event($id)), event($id)) =~ /^Status: (\d+)/;
		syswrite $out, ($status // "none") . " $id\n";
	}
}

($commands{$command // ""} or die "no such command\n")->(@arguments);
