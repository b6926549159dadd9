# Sourced by the copy of git's t/lib-httpd.sh that run.sh makes, where prepare_httpd has set the addresses: from here on those that
# the tests use are the gateway's. One connection for each file, named as the file is numbered, so that no two of them share a cache.

# git 2.39.5's t5558 calls it, and 2.39's library does not have it yet.
command -v test_grep >/dev/null || test_grep () {
	grep "$@"
}

HTTPD_FILES=$HTTPD_URL
HTTPD_PATH=
HTTPD_UP=
if test -n "$SALLYPORT_URL"
then
	SALLYPORT_PATH=git/$(expr "$this_test" : '\(t[0-9]*\)')
	SALLYPORT_HOST=${SALLYPORT_URL#http://}
	HTTPD_DEST=$SALLYPORT_HOST/$SALLYPORT_PATH
	HTTPD_URL=http://$HTTPD_DEST
	HTTPD_PATH=/$SALLYPORT_PATH
	HTTPD_UP=../../
	HTTPD_URL_USER=http://user%40host@$HTTPD_DEST
	HTTPD_URL_USER_PASS=http://user%40host:pass%40host@$HTTPD_DEST

	# The tests' own credentials are the upstream's (`credential: passthrough`); the gateway's has its header beside them. In the
	# environment, because tests write configuration files of their own, and for the tests that use curl itself.
	GIT_CONFIG_COUNT=1
	GIT_CONFIG_KEY_0=http.extraHeader
	GIT_CONFIG_VALUE_0="Sallyport-Token: $SALLYPORT_TOKEN"
	export GIT_CONFIG_COUNT GIT_CONFIG_KEY_0 GIT_CONFIG_VALUE_0
	echo "header = \"Sallyport-Token: $SALLYPORT_TOKEN\"" >"$HOME/.curlrc"

	# As the original: git asks with the host alone, unless credential.useHttpPath makes it name the path ($3).
	expect_askpass () {
		dest=$SALLYPORT_HOST${3+/$SALLYPORT_PATH/$3}
		{
			case "$1" in
			none)
				;;
			pass)
				echo "askpass: Password for 'http://$2@$dest': "
				;;
			both)
				echo "askpass: Username for 'http://$dest': "
				echo "askpass: Password for 'http://$2@$dest': "
				;;
			*)
				false
				;;
			esac
		} >"$TRASH_DIRECTORY/askpass-expect" &&
		test_cmp "$TRASH_DIRECTORY/askpass-expect" "$TRASH_DIRECTORY/askpass-query"
	}
fi
