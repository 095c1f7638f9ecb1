"""The one door out for HTTP; nothing else imports requests, urllib3 or tenacity."""
