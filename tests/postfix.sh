# SPDX-License-Identifier: ISC
#
# Real Postfix instances from an unpacked package, in a mount namespace that
# the caller has made (root, unshare -m) and that takes everything with it
# when it ends.  Nothing of the system's /usr and /etc changes.
#
#	postfix_world PKG DIR	lays PKG over /usr and /etc; DIR is an empty
#				directory for what is written there, removed
#				after the namespace is gone, not before
#	postfix_new NAME ADDR [LINE...]	configures /etc/NAME, listening on
#				ADDR, spool and log in $POSTFIX_SPOOL/NAME
#	postfix_begin NAME	starts it
#	postfix_end NAME	ends it
#	postfix_log NAME	prints the name of its log

postfix_world()
{
	mount -t tmpfs -o mode=755 tmpfs "$2" &&
	    mkdir "$2/pkg" "$2/usr" "$2/usr.work" "$2/etc" "$2/etc.work" &&
	    mount --bind "$1" "$2/pkg" &&
	    mount -o remount,bind,ro "$2/pkg" || return 1
	for pf_dir in usr etc; do
		mount -t overlay overlay -o "lowerdir=$2/pkg/$pf_dir:/$pf_dir,\
upperdir=$2/$pf_dir,workdir=$2/$pf_dir.work" "/$pf_dir" || return 1
	done
	mount -t tmpfs -o mode=755 tmpfs /run || return 1
	# The numbers are of no importance: the users live as long as this.
	pf_id=61200
	for pf_user in postfix postdrop; do
		sed -i "/^$pf_user:/d" /etc/passwd /etc/group
		echo "$pf_user:x:$pf_id:$pf_id::/:/bin/false" >>/etc/passwd
		echo "$pf_user:x:$pf_id:" >>/etc/group
		pf_id=$((pf_id + 1))
	done
	chgrp postdrop /usr/sbin/postdrop /usr/sbin/postqueue &&
	    chmod 2755 /usr/sbin/postdrop /usr/sbin/postqueue
}

postfix_new()
{
	pf_name=$1
	pf_addr=$2
	pf_here=$POSTFIX_SPOOL/$pf_name
	shift 2
	mkdir -p "$pf_here/queue" "$pf_here/data" "/etc/$pf_name" &&
	    chown postfix "$pf_here/data" || return 1
	cat >"/etc/$pf_name/main.cf" <<-END
	compatibility_level = 3.6
	queue_directory = $pf_here/queue
	data_directory = $pf_here/data
	command_directory = /usr/sbin
	daemon_directory = /usr/lib/postfix/sbin
	shlib_directory = /usr/lib/postfix
	meta_directory = /etc/postfix
	mail_owner = postfix
	setgid_group = postdrop
	maillog_file = $pf_here/log
	maillog_file_prefixes = /
	import_environment = MAIL_CONFIG MAIL_LOGTAG
	inet_interfaces = $pf_addr
	inet_protocols = ipv4
	myhostname = $pf_name.test
	mydestination =
	alias_maps =
	alias_database =
	smtpd_peername_lookup = no
	message_size_limit = 52428800
	END
	printf '%s\n' "$@" >>"/etc/$pf_name/main.cf"
	# The fifth column is chroot, for which nothing is set up here.
	sed -E '/^[a-z]/s/^(([^[:space:]]+[[:space:]]+){4})y/\1n/' \
	    /usr/share/postfix/master.cf.dist >"/etc/$pf_name/master.cf"
}

postfix_begin()
{
	postfix -c "/etc/$1" start >"$POSTFIX_SPOOL/$1/out" 2>&1 || {
		sed 's/^/# /' "$POSTFIX_SPOOL/$1/out" "$(postfix_log "$1")"
		return 1
	}
}

postfix_end()
{
	postfix -c "/etc/$1" stop >/dev/null 2>&1
}

postfix_log()
{
	echo "$POSTFIX_SPOOL/$1/log"
}
